"""What puts a study through a fault: surroundings, runs, processes, facts, checks, tables."""
