"""From a functions folder to content-hashed bundles.

| where                 | what                                                                          |
|-----------------------|-------------------------------------------------------------------------------|
| `project.py`          | what a build needs to know: folders, default limits and auth, env             |
| `discover.py`         | which functions a folder holds                                                |
| `options.py`          | `flux.json`: routes, auth, limits ...                                         |
| `imports.py`          | how bare imports (`flux`, `zod`) are resolved: the import map                 |
| `graph.py`            | which files and packages a function consists of, and what in there is missing |
| `deno.py`             | the tool that does it, as a child process                                     |
| `typescript.py`       | bundle and type check                                                         |
| `diagnostics.py`      | errors: file, line, column, the source line                                   |
| `cache.py`            | which functions need no build                                                 |
| `store.py`            | `builds/<version>/`: bundle, source map, meta                                 |
| `sourcemap.py`        | from a stack in the bundle to a line of the source                            |
| `sdk.py`              | where `flux.ts` lies; its types for editors                                   |
| `declarations.py`     | makes sdk/flux.d.ts                                                           |
| `watch.py`            | which functions a change on disk touches                                      |
| `pipeline.py`         | all of it in order: `build_project`                                           |
"""

from flux.build.diagnostics import Diagnostic
from flux.build.pipeline import Outcome, build_functions, build_project, check_project
from flux.build.project import Project

__all__ = ["Diagnostic", "Outcome", "Project", "build_functions", "build_project", "check_project"]
