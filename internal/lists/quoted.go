package lists

import (
	"fmt"
	"strings"
)

// Quoted is the first so many names for a message, each quoted and cut to so many characters.
func Quoted(names []string, most, length int) string {
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.*q", length, name)
	}
	return b.String()
}
