"""Floor 6, the reports: what a person reads, sees and keeps of a fit.

`text` (sentences and tables), `record` (plain dicts for JSON), `plots` (matplotlib figures), `store` (files),
`arviz`, `posterior_tree`, `posterior_summary`, `page` and `charts` (one HTML page), `demo` (a simulated study), `cite`
(BibTeX). The only floor that knows pandas, matplotlib, altair and arviz; may import every floor below. Import
the module you need: nothing heavy is loaded here.
"""
