"""Advice: the cheapest settings that meet a goal, with the proof and the price of the others."""

from sim.advise.advise import NoGoal, advise
from sim.advise.counted import Counted, Evaluate, with_simpy
from sim.advise.fast import best_evaluator
from sim.advise.judge import Effort
from sim.advise.recommendation import Found, Lever, Reason, Recommendation, Tried

__all__ = [
    "Counted",
    "Effort",
    "Evaluate",
    "Found",
    "Lever",
    "NoGoal",
    "Reason",
    "Recommendation",
    "Tried",
    "advise",
    "best_evaluator",
    "with_simpy",
]
