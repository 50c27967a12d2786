"""The files of a new project (`flux init`)."""

from __future__ import annotations

FLUX_TOML = """\
# Settings of this project. Every one of them, with defaults and reasons: docs/SETTINGS.md of Flux.

[server]
port = 4000

[env]
# What functions read as ctx.env; part of a function's version. Secrets do not belong here.
GREETING = "Hello"
"""

HELLO = """\
import { defineFunction } from "flux";
import { z } from "zod";

// POST /hello {"name": "Ada"}  ->  {"message": "Hello, Ada!"}
export default defineFunction({
  input: z.object({ name: z.string().min(1).default("world") }),
  output: z.object({ message: z.string() }),
  async handler({ input, ctx }) {
    ctx.log.info("greeting", { name: input.name });
    return { message: `${ctx.env.GREETING ?? "Hello"}, ${input.name}!` };
  },
});
"""

MIGRATIONS_README = """\
SQL files named NNNN_name.sql (0001_users.sql, 0002_orders.sql ...) are applied in order, each once, when Flux starts.
Never change one that has been applied: write the next.
"""

# Read by the build and by editors that know Deno. The types of "flux" are written there by the first build.
DENO_JSON = """\
{
  "imports": {
    "flux": "./.flux/types/flux.d.ts",
    "zod": "npm:zod@^4"
  },
  "compilerOptions": {
    "strict": true
  }
}
"""

# For every other editor.
TSCONFIG = """\
{
  "compilerOptions": {
    "target": "esnext",
    "module": "esnext",
    "moduleResolution": "bundler",
    "strict": true,
    "noEmit": true,
    "allowImportingTsExtensions": true,
    "lib": ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    "types": [],
    "paths": { "flux": ["./.flux/types/flux.d.ts"] }
  },
  "include": ["functions", "schemas", "flux.d.ts"]
}
"""

GITIGNORE = """\
.flux/
.env
node_modules/
"""

FILES = {
    "flux.toml": FLUX_TOML,
    "functions/hello.ts": HELLO,
    "migrations/README": MIGRATIONS_README,
    "deno.json": DENO_JSON,
    "tsconfig.json": TSCONFIG,
    ".gitignore": GITIGNORE,
}
"""By path in the project folder."""
