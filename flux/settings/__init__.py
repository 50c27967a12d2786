"""Settings: declared (`sections`), parsed (`values`), described (`reference`); `flux.config` loads them."""
