package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Seen is what [Open] made of the files it found.
type Seen struct {
	Shape Shape
	Why   string // what spoke for it

	// Samples, of which some may be faulty; of the others, how many have captions,
	// and how many a label. Of a stream they are those of its first shard.
	Samples, Faulty, Captioned, Labelled int
	Captions, Classes                    int

	// Alone are the files in the set's folder or archive that nothing was read from:
	// the first few, and how many there are.
	Alone      []string
	AloneCount int

	// LeftOut counts images that are not the user's, or not within the set, by the
	// reason: "thumbnails", "recycle bins".
	LeftOut map[string]int

	Notes []string // what else is worth a word
}

// maxAlone bounds [Seen].Alone.
const maxAlone = 20

// String is a line of words: "1,204 images without captions; 3 other files left
// alone: notes.txt, …". Names are quoted where they hold what cannot be printed.
func (s Seen) String() string {
	var b strings.Builder
	good := s.Samples - s.Faulty
	fmt.Fprintf(&b, "%s", count(s.Samples, "image", "images"))
	switch {
	case s.Captioned > 0 && s.Labelled > 0:
		fmt.Fprintf(&b, " with %s and %s", count(s.Captions, "caption", "captions"), count(s.Classes, "class", "classes"))
	case s.Captioned > 0:
		fmt.Fprintf(&b, " with %s", count(s.Captions, "caption", "captions"))
	case s.Labelled > 0:
		fmt.Fprintf(&b, " in %s", count(s.Classes, "class", "classes"))
	default:
		b.WriteString(" without captions")
	}
	if bare := good - max(s.Captioned, s.Labelled); bare > 0 && s.Captioned+s.Labelled > 0 {
		fmt.Fprintf(&b, ", %s of them without", thousands(bare))
	}
	if s.Faulty > 0 {
		fmt.Fprintf(&b, ", %s faulty", thousands(s.Faulty))
	}
	if s.Why != "" {
		fmt.Fprintf(&b, " (%s)", s.Why)
	}
	for _, why := range slices.Sorted(maps.Keys(s.LeftOut)) {
		fmt.Fprintf(&b, "; %s left out (%s)", count(s.LeftOut[why], "image", "images"), why)
	}
	if s.AloneCount > 0 {
		names := make([]string, min(3, len(s.Alone)))
		for i := range names {
			names[i] = Printable(s.Alone[i])
		}
		fmt.Fprintf(&b, "; %s left alone: %s", count(s.AloneCount, "other file", "other files"), strings.Join(names, ", "))
		if s.AloneCount > len(names) {
			b.WriteString(", …")
		}
	}
	for _, note := range s.Notes {
		b.WriteString("; " + note)
	}
	return b.String()
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes 1204 as 1,204.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Printable returns a name as it can be shown on a terminal: one with control
// characters, or such as change the direction of writing, in quotes and escaped.
func Printable(name string) string {
	for i, r := range name {
		if _, n := utf8.DecodeRuneInString(name[i:]); !unicode.IsPrint(r) || r == utf8.RuneError && n == 1 {
			return strconv.Quote(name)
		}
	}
	return name
}

// leftOut counts images by why they are left out.
type leftOut map[string]int

func (l leftOut) String() string {
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, fmt.Sprintf("%s (%s)", count(l[why], "image", "images"), why))
	}
	return strings.Join(parts, ", ")
}
