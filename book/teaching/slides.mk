# make slides · a deck per chapter, which asks no other host (book/teaching/slides.md)
DECKS := $(CHAPTERS:chapters/%.md=$(SITE)/slides/%.html)

.PHONY: slides
slides: $(DECKS)
	@echo "Slides: $(CURDIR)/$(SITE)/slides (open one in a browser; S opens the speaker's notes)"

$(SITE)/slides/%.html: $(SITE)/chapters/%.ipynb $(wildcard book/teaching/slide*.py book/teaching/slides/*.j2 book/assets/*.css)
	@$(BIN)/python book/teaching/slides.py $< $@
