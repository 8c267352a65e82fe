"""Prints python-floats.json: doubles, as their 64 bits in hexadecimal, and what Python prints for them.

python3 python-floats.py > python-floats.json
"""

import json
import math
import random
import struct


def bits(value: float) -> str:
    return struct.pack(">d", value).hex()


random.seed(20261120)
values = [0.0, -0.0, 0.1, 0.3, 1 / 3, 4.35, 1234567.891, 9007199254740991.0, 9007199254740993.0]
values += [math.ldexp(1.0, power) for power in range(-1074, 1024, 3)]
for power in range(-330, 309):
    values.append(float(f"1e{power}"))
    values.append(-float(f"{random.randint(1, 10**17)}e{power - 17}"))
# Both sides of where an exponent begins to be written.
for edge in (1e-5, 1e-4, 1e-3, 1.0, 1e15, 1e16, 1e17, 1e21, 1e22):
    values += [edge, math.nextafter(edge, 0), math.nextafter(edge, math.inf), -edge]
values += [round(random.uniform(0, 10 ** random.randint(0, 7)), random.randint(0, 9)) for _ in range(700)]
while len(values) < 4000:
    value = struct.unpack(">d", random.getrandbits(64).to_bytes(8, "big"))[0]
    if math.isfinite(value):
        values.append(value)

print("[")
print(",\n".join(json.dumps([bits(value), json.dumps(value)]) for value in values))
print("]")
