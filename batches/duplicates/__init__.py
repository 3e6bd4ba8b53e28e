"""Near-duplicates within a batch: pairs, sets of them, and decisions about them."""
