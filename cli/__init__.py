"""The command line of Flux, installed as the package `flux_cli`."""
