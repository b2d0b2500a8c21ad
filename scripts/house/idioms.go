package main

import "regexp"

// idiom is an expression that reads like a translation.
type idiom struct {
	name  string
	match *regexp.Regexp
	// plain recognizes good English among the matches; it may be nil.
	plain *regexp.Regexp
}

// oddIdioms returns the counted expressions.
func oddIdioms() []idiom {
	add := func(name, match, plain string) idiom {
		found := idiom{name: name, match: regexp.MustCompile(`(?i)` + match)}
		if plain != "" {
			found.plain = regexp.MustCompile(`(?i)` + plain)
		}

		return found
	}

	return []idiom{
		add("mend", `\bmend(?:s|ed|ing)?\b`, ""),
		add("tell", `\b(?:tells?|told|telling)\b`, ""),
		add("become-of", `\bwhat\s+(?:\w+\s+)?(?:becomes?|became|come)\s+of\b|\b(?:becomes?|became)\s+of\b`, ""),
		add("whoever", `\b(?:whoever|somebody|nobody)\b`, ""),
		add("is-no", `(?:\bthere\s+)?\b(?:is|are|was|were)\s+no\s+[a-z]+`, `^there\b|\bno\s+(?:longer|more|less|one)$`),
		add("headless-who", `\b(?:those|they|he|one|all|for|to|by|with|than|away)\s+who\b|(?:^|[.;:!|]\s+)who\b[^.?!|]*[.?!|]?`, `\?$|^\|\s+who\s+\|$`),
		add("is-away", `\b(?:is|are|was|were|be|been|being)\s+away\b(?:\s+from\b)?`, `from$`),
		add("all-the-same", `\ball\s+the\s+same\b|\banew\b`, ""),
		add("else", `(?:\b(?:some|any|no|every)(?:body|thing|one|where)\s+|\bno\s+one\s+|\b(?:if|what|who|where)[\s/]+)?\belse\b(?:\s+if\b)?`, `^\w+(?:\s+one)?[\s/]+else|else\s+if$`),
		add("goes-on", `\b(?:goes|go|going|went|gone)\s+on\b`, ""),
		add("of-ours", `\bof\s+ours\b`, ""),
	}
}

// hit is an odd idiom and its position.
type hit struct {
	name   string
	offset int
}

// findIdioms returns the odd idioms of a text.
func findIdioms(idioms []idiom, text string) []hit {
	var hits []hit
	for _, looked := range idioms {
		for _, at := range looked.match.FindAllStringIndex(text, -1) {
			if looked.plain == nil || !looked.plain.MatchString(text[at[0]:at[1]]) {
				hits = append(hits, hit{name: looked.name, offset: at[0]})
			}
		}
	}

	return hits
}

// measureIdioms returns the rate of odd idioms in code, tests, documents and charts, and in all
// of them.
func measureIdioms(t *tree) []figure {
	reader := newProse()
	var code, tests, docs, charts []passage
	for _, file := range t.code {
		code = append(code, reader.readCode(file)...)
	}

	for _, file := range t.tests {
		tests = append(tests, reader.readCode(file)...)
	}

	for _, file := range t.docs {
		docs = append(docs, reader.readText(file))
	}

	for _, file := range t.charts {
		charts = append(charts, reader.readText(file))
	}

	all := &idiomCount{reader: reader, idioms: oddIdioms()}

	return []figure{
		all.measure("idioms-code", "odd idioms in comments and texts of code, per 1,000 words", code),
		all.measure("idioms-tests", "odd idioms in comments and texts of tests, per 1,000 words", tests),
		all.measure("idioms-docs", "odd idioms in Markdown, per 1,000 words", docs),
		all.measure("idioms-charts", "odd idioms in YAML, dashboards and OpenAPI, per 1,000 words", charts),
		rateFigure("all-idioms", "odd idioms in all of them, per 1,000 words", all.hits, all.words, nil),
	}
}

// idiomCount adds up the hits.
type idiomCount struct {
	reader      *prose
	idioms      []idiom
	hits, words int
}

// measure returns the figure of some passages and adds them to the sum.
func (c *idiomCount) measure(key, title string, passages []passage) figure {
	var places []string
	words := 0
	for _, passage := range passages {
		words += c.reader.countWords(passage.text)
		for _, hit := range findIdioms(c.idioms, passage.text) {
			places = append(places, passage.placeOf(hit.offset)+" ["+hit.name+"]")
		}
	}

	c.hits += len(places)
	c.words += words

	return rateFigure(key, title, len(places), words, places)
}
