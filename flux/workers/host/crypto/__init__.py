"""WebCrypto's `subtle`, on the `cryptography` package.

| where | what |
|---|---|
| `subtle` | the operations as host calls: arguments, usages, extractability, threads |
| `family` | what an algorithm family must offer, and the table of all |
| `key` | keys as they travel; `algorithm`: dictionaries, hashes; `jwk`: members of JSON Web Keys |
| `aes`, `hmac`, `rsa`, `elliptic`, `edwards`, `derivation` | the families |
"""
