"""What is timed and how: networks in blocks, statistics, conditions. Runs in the child."""
