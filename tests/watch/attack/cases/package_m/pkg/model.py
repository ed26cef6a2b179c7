from common import *
def build(): return mlp()
