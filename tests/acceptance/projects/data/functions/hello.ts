import { defineFunction } from "flux";

// Data routes and functions live side by side; a project has at least one function.
export default defineFunction({ handler: () => "hello" });
