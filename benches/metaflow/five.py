"""Five trivial steps in a row."""
from metaflow import FlowSpec, step


class Five(FlowSpec):
    @step
    def start(self):
        self.number = 1
        self.next(self.second)

    @step
    def second(self):
        self.number += 1
        self.next(self.third)

    @step
    def third(self):
        self.number += 1
        self.next(self.fourth)

    @step
    def fourth(self):
        self.number += 1
        self.next(self.end)

    @step
    def end(self):
        self.number += 1


if __name__ == "__main__":
    Five()
