"""The neural stage of the labeler: learns from the rules, and from gold, what the rules miss.

Loads torch; `labeler` itself does not import it.
"""

from labeler.neural.folder import load, save
from labeler.neural.fusion import Fusion
from labeler.neural.recipe import Gold, Recipe
from labeler.neural.stage import Judged, NeuralStage
from labeler.neural.teaching import teach

__all__ = ["Fusion", "Gold", "Judged", "NeuralStage", "Recipe", "load", "save", "teach"]
