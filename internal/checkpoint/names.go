package checkpoint

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// naming is a layout's two-way table of names. Canonical names, those of the
// parameters, are open_clip's.
type naming interface {
	// stored says what of the file makes up a parameter, one piece after the other;
	// nil if the layout has no place for it.
	stored(canonical string) ([]piece, form)
	// canonical says what parameters make up a tensor of the file; nil for a name
	// that the layout does not know.
	canonical(stored string) []piece
	// unread reports whether a tensor is known to be there and not to be computed with.
	unread(stored string) bool
}

// piece is a range of a tensor's rows: those from from/of on, up to to/of.
type piece struct {
	name         string
	from, to, of int
}

func whole(name string) piece { return piece{name, 0, 1, 1} }

// rows is how many of so many rows the piece has.
func (p piece) rows(all int) int { return all * (p.to - p.from) / p.of }

// form is how the tensors of the file differ from their parameter.
type form struct {
	transposed bool
	rank       int  // number of dimensions, where ones in front are added or the first ones joined; 0 as the parameter's
	negLog     bool // the parameter is −ln of what is stored, a temperature
}

// prefixed is the naming of open_clip and OpenAI: the canonical names, in some
// checkpoints with a prefix for those of the text tower.
type prefixed struct{ text string }

func (p prefixed) stored(canonical string) ([]piece, form) {
	if isText(canonical) {
		canonical = p.text + canonical
	}
	return []piece{whole(canonical)}, form{}
}

func (p prefixed) canonical(stored string) []piece {
	if rest, ok := strings.CutPrefix(stored, p.text); ok && isText(rest) {
		return []piece{whole(rest)}
	}
	return []piece{whole(stored)}
}

func (p prefixed) unread(string) bool { return false }

// isText reports whether a canonical name is the text tower's.
func isText(canonical string) bool {
	return !strings.HasPrefix(canonical, "visual.") && !strings.HasPrefix(canonical, "text_decoder.") && canonical != "logit_scale" && canonical != "logit_bias"
}

// table is a naming written as text, a line a tensor: our name, two spaces or more,
// what is stored. In names # stands for the number of a block, and * for weight and
// for bias, a line for each. Either side may be a sum, which the other is cut into
// along its first dimension; @2 behind a summand gives it two shares. At the end, ^T
// says that what is stored is transposed, ^1 that it has one dimension, and ^-ln that ours is its
// negative logarithm. In the place of our name a - stands for a tensor that is not computed with.
type table struct {
	toStored    map[string]entry
	toCanonical map[string][]piece
	left        map[string]bool // what is stored and not read
}

type entry struct {
	pieces []piece
	form   form
}

//go:embed names/*.txt
var tables embed.FS

// readTable reads names/NAME.txt of several names between spaces, as one. Replace are
// pairs of what stands there and what stands for it.
func readTable(names string, replace ...string) (*table, error) {
	var all strings.Builder
	for _, name := range strings.Fields(names) {
		text, err := tables.ReadFile("names/" + name + ".txt")
		if err != nil {
			return nil, err
		}
		all.Write(text)
	}
	return parseTable(strings.NewReplacer(replace...).Replace(all.String()))
}

func parseTable(text string) (*table, error) {
	t := &table{map[string]entry{}, map[string][]piece{}, map[string]bool{}}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		both := []string{line}
		if strings.Contains(line, "*") {
			both = []string{strings.ReplaceAll(line, "*", "weight"), strings.ReplaceAll(line, "*", "bias")}
		}
		for _, line := range both {
			if err := t.add(line); err != nil {
				return nil, fmt.Errorf("names: line %d: %w", i+1, err)
			}
		}
	}
	return t, nil
}

func (t *table) add(line string) error {
	left, right, ok := strings.Cut(line, "  ")
	if !ok {
		return fmt.Errorf("%q has no second column", line)
	}
	right, mark, _ := strings.Cut(strings.TrimSpace(right), " ^")
	if left == "-" {
		t.left[right] = true
		return nil
	}
	var f form
	switch mark {
	case "":
	case "T":
		f.transposed = true
	case "-ln":
		f.negLog = true
	default:
		n, err := strconv.Atoi(mark)
		if err != nil {
			return fmt.Errorf("mark ^%s, want T, -ln or a number", mark)
		}
		f.rank = n
	}
	ours, err := sum(left)
	if err != nil {
		return err
	}
	theirs, err := sum(right)
	if err != nil {
		return err
	}
	switch {
	case len(ours) > 1 && len(theirs) > 1:
		return fmt.Errorf("%q is a sum on both sides", line)
	case len(theirs) > 1:
		t.toStored[ours[0].name] = entry{wholes(theirs), f}
		for _, p := range theirs {
			t.toCanonical[p.name] = []piece{{ours[0].name, p.from, p.to, p.of}}
		}
	default:
		for _, p := range ours {
			t.toStored[p.name] = entry{[]piece{{theirs[0].name, p.from, p.to, p.of}}, f}
		}
		t.toCanonical[theirs[0].name] = wholes(ours)
	}
	return nil
}

// sum reads summands with their shares of the whole.
func sum(text string) ([]piece, error) {
	var parts []piece
	at := 0
	for _, s := range strings.Split(text, " + ") {
		name, share, shared := strings.Cut(strings.TrimSpace(s), " @")
		n := 1
		if shared {
			var err error
			if n, err = strconv.Atoi(share); err != nil || n < 1 {
				return nil, fmt.Errorf("share @%s, want a number", share)
			}
		}
		if name == "" || strings.Contains(name, " ") {
			return nil, fmt.Errorf("%q is no name", name)
		}
		parts = append(parts, piece{name, at, at + n, 0})
		at += n
	}
	for i := range parts {
		parts[i].of = at
	}
	return parts, nil
}

func wholes(parts []piece) []piece {
	var all []piece
	for _, p := range parts {
		all = append(all, whole(p.name))
	}
	return all
}

func (t *table) stored(canonical string) ([]piece, form) {
	pattern, number := cutNumber(canonical)
	e := t.toStored[pattern]
	return numbered(e.pieces, number), e.form
}

func (t *table) canonical(stored string) []piece {
	pattern, number := cutNumber(stored)
	return numbered(t.toCanonical[pattern], number)
}

func (t *table) unread(stored string) bool {
	pattern, _ := cutNumber(stored)
	return t.left[pattern]
}

func numbered(pieces []piece, number string) []piece {
	var out []piece
	for _, p := range pieces {
		p.name = strings.Replace(p.name, "#", number, 1)
		out = append(out, p)
	}
	return out
}

// cutNumber puts # in the place of a name's first part that is a number.
func cutNumber(name string) (pattern, number string) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "#"
			return strings.Join(parts, "."), p
		}
	}
	return name, ""
}

// ignored reports whether a tensor is a constant that is stored beside the
// weights: positions 0, 1, 2…, token types of 0, numbers that OpenAI's files repeat from shapes,
// and BatchNorm's count of training steps.
func ignored(stored string) bool {
	switch stored {
	case "input_resolution", "context_length", "vocab_size":
		return true
	}
	return slices.ContainsFunc([]string{".num_batches_tracked", ".position_ids", "embeddings.token_type_ids"},
		func(suffix string) bool { return strings.HasSuffix(stored, suffix) })
}
