// Scale writes the tables of docs/scale.md: what embedding, keeping and searching a very large set
// takes, and a training of CLIP's size, from the rates in BENCHMARKS.md.
//
//	go run ./tools/scale                     print them, from the repository's root
//	go run ./tools/scale -write              put them into the page
//	go run ./tools/scale -machines 20 -price-core-hour 0.05    with other inputs
//
// A table stands between lines <!-- scale: NAME --> and <!-- end -->.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
)

const page = "docs/scale.md"

func main() {
	log.SetFlags(0)
	write := flag.Bool("write", false, "write the tables into "+page+", with the inputs that it is about")
	var in inputs
	in.flags(flag.CommandLine)
	flag.Parse()
	if err := run(*write, in); err != nil {
		log.Fatalf("scale: %v", err)
	}
}

func run(write bool, in inputs) error {
	benchmarks, err := os.ReadFile("BENCHMARKS.md")
	if err != nil {
		return err
	}
	if !write {
		tables, err := in.tables(string(benchmarks))
		for _, t := range tables {
			fmt.Printf("%s:\n\n%s\n", t.name, t.text)
		}
		return err
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	tables, err := defaults().tables(string(benchmarks))
	if err != nil {
		return err
	}
	text, err := fill(old, tables)
	if err != nil || bytes.Equal(text, old) {
		return err
	}
	return os.WriteFile(page, text, 0o666)
}

// table is one of the page's.
type table struct{ name, text string }

// fill puts the tables into the page, where each has its place once.
func fill(page []byte, tables []table) ([]byte, error) {
	text := string(page)
	for _, t := range tables {
		begin, end := "<!-- scale: "+t.name+" -->\n", "<!-- end -->"
		before, after, found := strings.Cut(text, begin)
		_, after, ended := strings.Cut(after, end)
		if !found || !ended || strings.Contains(after, begin) {
			return nil, fmt.Errorf("the page has not one place for the table %q", t.name)
		}
		text = before + begin + t.text + end + after
	}
	if n := strings.Count(text, "<!-- scale: "); n != len(tables) {
		return nil, fmt.Errorf("the page has places for %d tables, want %d", n, len(tables))
	}
	return []byte(text), nil
}

// grid writes a table of Markdown.
func grid(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(head)))
	for _, row := range rows {
		line(row)
	}
	return b.String()
}
