from dataclasses import dataclass
@dataclass
class Choice:
    precision: str
    reason: str
def choose_precision(): return Choice("int8", "int8: lab")
