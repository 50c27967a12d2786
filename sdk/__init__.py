"""What functions import as "flux": types and `defineFunction`; `runtime` is built into the isolate's bootstrap."""
