print("nothing to see", 6 * 7)
