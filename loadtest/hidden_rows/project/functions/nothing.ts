// Flux does not serve without a function; the requests are for the data route.
import { defineFunction } from "flux";

export default defineFunction({ handler: async () => null });
