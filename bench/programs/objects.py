# Objects, dictionaries, strings and integers in the interpreter of Python.
class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    count = 0
    for column in range(n):
        bit = 1 << column
        if not (columns & bit or left & 1 << (row + column) or right & 1 << (row - column + n)):
            count += queens(n, row + 1, columns | bit, left | 1 << (row + column), right | 1 << (row - column + n))
    return count


total = Vector(0, 0)
words = {}
for i in range(60000):
    total = total + Vector(i, -i)
    word = "w%d" % (i * 7919 % 1000)
    words[word] = words.get(word, 0) + len(word)
print("python", queens(7), total.x, total.y, sum(sorted(words.values())[:500]))
