// Models writes the tables of README.md and docs/models.md that say which models load and
// what they are worth, from the tables of configurations, published accuracies and our own
// measurements.
//
//	go run ./tools/models            print them
//	go run ./tools/models -write     put them into the pages, from the repository's root
//
// A table stands between lines <!-- models: NAME --> and <!-- end -->. After "go run ./tools/bench -models
// > tools/models/speeds.csv" on a quiet machine, -write brings the speeds into the page.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	write := flag.Bool("write", false, "write the tables into the pages")
	flag.Parse()
	tables, err := tables()
	if err != nil {
		log.Fatalf("models: %v", err)
	}
	for _, page := range pages() {
		old, err := os.ReadFile(page)
		if err != nil && *write {
			log.Fatalf("models: %v", err)
		}
		if !*write {
			continue
		}
		text, err := fill(old, tables)
		if err != nil {
			log.Fatalf("models: %s: %v", page, err)
		}
		if !bytes.Equal(text, old) {
			if err := os.WriteFile(page, text, 0o666); err != nil {
				log.Fatalf("models: %v", err)
			}
		}
	}
	if !*write {
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			fmt.Printf("%s:\n\n%s\n", name, tables[name])
		}
	}
}

func pages() []string { return []string{"README.md", "docs/models.md"} }

func tables() (map[string]string, error) {
	loads, err := families()
	if err != nil {
		return nil, err
	}
	classes, err := classes()
	if err != nil {
		return nil, err
	}
	measured, err := readSpeeds()
	if err != nil {
		return nil, err
	}
	choice, err := choice(measured)
	if err != nil {
		return nil, err
	}
	return map[string]string{"families": loads, "classes": classes, "choice": choice, "speeds": measured.String()}, nil
}

// fill puts tables into a page.
func fill(page []byte, tables map[string]string) ([]byte, error) {
	const begin, end = "<!-- models: ", "<!-- end -->"
	var out strings.Builder
	rest, found := string(page), false
	for {
		before, after, ok := strings.Cut(rest, begin)
		out.WriteString(before)
		if !ok {
			break
		}
		name, after, _ := strings.Cut(after, " -->\n")
		_, after, ok = strings.Cut(after, end)
		table, known := tables[name]
		if !ok || !known {
			return nil, fmt.Errorf("the table %q is not known, or has no end", name)
		}
		fmt.Fprintf(&out, "%s%s -->\n%s%s", begin, name, table, end)
		rest, found = after, true
	}
	if !found {
		return nil, fmt.Errorf("no line %s…", begin)
	}
	return []byte(out.String()), nil
}
