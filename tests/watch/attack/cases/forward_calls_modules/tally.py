COUNT = 0
SEEN = []


class Meter:
    total = 0


def count(x):
    global COUNT
    COUNT += 1
    SEEN.append(COUNT)
    Meter.total += 1
    return x
