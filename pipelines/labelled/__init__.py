"""Labels and facts as files: writing them, reading anyone's, and setting them against gold."""
