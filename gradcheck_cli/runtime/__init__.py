"""What it takes to run a user's model and leave no trace: the state guard, norms, the graph, plain passes."""
