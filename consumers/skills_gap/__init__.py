"""The skills-gap flow: update the gap, rebuild the path, ask for approval, distribute (seed 000)."""
