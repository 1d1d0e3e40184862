"""Instruments the chapters share: data, networks, training over seeds, plots, glue.

Import from the files (`from livegrad.lab.plots import show`): the build's cache follows imports, and a
chapter should depend on what it uses and on nothing else.
"""
