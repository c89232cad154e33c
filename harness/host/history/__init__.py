"""What all runs under results/ say of one measure over time, and whether the newest of them got slower."""
