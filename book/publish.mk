# make pdf · make check-links
.PHONY: pdf check-links

# One PDF of the whole book, with bookmarks and page numbers.
pdf: html chromium
	@$(BIN)/python book/_ext/pdf.py $(HTML) $(SITE)/less_is_more_in_context.pdf

# The links of the pages to other sites; those within the book are tested with it.
check-links: $(EXECUTED)
	@cd $(SITE) && ln -sfn ../../_config.yml ../../_toc.yml ../../book .
	@$(BIN)/jupyter-book build $(SITE) --builder linkcheck
