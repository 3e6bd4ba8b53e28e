"""Operations on pixels: geometry, tone, sharpness, watermarks, comparison."""
