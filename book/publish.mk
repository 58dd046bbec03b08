# make pdf · make check-links
.PHONY: pdf check-links

# One PDF of the whole book, with bookmarks and page numbers.
pdf: html chromium
	@$(BIN)/python book/_ext/pdf.py $(HTML) $(SITE)/less_is_more_in_context.pdf

# Links within the book and the form of all others; then, where there is a network, whether the other sites answer. 1 (of make: 2) if a
# link is wrong; without a network it says how many nobody judged, and fails only where CI=true.
check-links: html
	@$(BIN)/python book/_ext/links.py $(HTML); case $$? in \
		0) $(BIN)/jupyter-book build $(SITE) --builder linkcheck ;; \
		3) test "$$CI" != true ;; \
		*) exit 1 ;; esac
