"""A foreach whose join fails as long as it is told to."""
import os

from metaflow import FlowSpec, Parameter, step


class Broken(FlowSpec):
    n = Parameter("n", default=298)

    @step
    def start(self):
        self.numbers = list(range(self.n))
        self.next(self.square, foreach="numbers")

    @step
    def square(self):
        self.squared = self.input * self.input
        self.next(self.sum)

    @step
    def sum(self, squares):
        # A parameter cannot change on resume, so the environment says it.
        if os.environ.get("BROKEN") == "1":
            raise ValueError("the sum is broken")
        self.sum_of = sum(branch.squared for branch in squares)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Broken()
