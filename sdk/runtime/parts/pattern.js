// The URLPattern part, out of urlpattern-polyfill (MIT).
import { URLPattern } from "npm:urlpattern-polyfill@10.1.0/urlpattern";

globalThis.__flux_part = { URLPattern };
