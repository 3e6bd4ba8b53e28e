"""The tables of batches, and of what people and Pix do with their groups."""

from batches.models.batch import Batch, BatchImage, Group
from batches.models.grouping import ClusterAssignment, ClusterRun, GroupingChange

__all__ = ["Batch", "BatchImage", "ClusterAssignment", "ClusterRun", "Group", "GroupingChange"]
