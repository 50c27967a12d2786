// The URLPattern part, out of urlpattern-polyfill (MIT).
export { URLPattern } from "npm:urlpattern-polyfill@10.1.0/urlpattern";
