"""The stacks that Flux is compared with, each written as a competent team would write it."""
