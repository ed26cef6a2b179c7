VERSION = "mine"
