"""Sphinx, for the documentation of pinning_filter."""

project = "pinning_filter"
copyright = "The pinning_filter authors"
extensions = [
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "reno.sphinxext",
    "sphinx.ext.graphviz",
]
html_theme = "openstackdocs"
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_use_storyboard = False
openstackdocs_repo_name = ""

man_pages = [
    ("cli", "pinning-filter", "ask where pinned servers fit", "", "1"),
    (
        "status",
        "pinning-filter-status",
        "check whether a cloud is set up for CPU pinning",
        "",
        "1",
    ),
    (
        "nova-compute-pinning",
        "nova-compute-pinning",
        "nova-compute with the driver of pinning_filter",
        "",
        "1",
    ),
]
