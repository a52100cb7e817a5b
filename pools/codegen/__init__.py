"""Writes a scenario's settings as code to paste: one template folder for each target."""

from pools.codegen.generate import GeneratedCode, GeneratedFile, changed_lines, generate
from pools.codegen.options import Options, choices
from pools.codegen.project import project
from pools.codegen.reason import Reason
from pools.codegen.target import Target, targets
from pools.codegen.why import why_list, why_table, why_words

__all__ = [
    "GeneratedCode",
    "GeneratedFile",
    "Options",
    "Reason",
    "Target",
    "changed_lines",
    "choices",
    "generate",
    "project",
    "targets",
    "why_list",
    "why_table",
    "why_words",
]
