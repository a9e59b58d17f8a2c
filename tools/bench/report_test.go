package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestBars: a ratio under its bar is marked and fails, on either side of one.
func TestBars(t *testing.T) {
	image, train := "image, batch 32", "train, batch 8"
	for _, c := range []struct {
		ours, peer measurement
		key        string
		want       string // a line that is marked; "" where all holds
	}{
		{measurement{Rate: 20, RSS: 500}, measurement{Rate: 20, RSS: 500}, image, ""},
		{measurement{Rate: 19, RSS: 500}, measurement{Rate: 20, RSS: 500}, image, "| ViT-B/32 image, batch 32"},
		{measurement{Rate: 20, RSS: 501}, measurement{Rate: 20, RSS: 500}, image, "| peak RSS, images, batch 32"},
		{measurement{Rate: 14, RSS: 899}, measurement{Rate: 10, RSS: 1000}, train, ""},
		{measurement{Rate: 13.9, RSS: 899}, measurement{Rate: 10, RSS: 1000}, train, "| ViT-B/32 training step, batch 8"},
		{measurement{Rate: 14, RSS: 901}, measurement{Rate: 10, RSS: 1000}, train, "| peak RSS, training, batch 8"},
	} {
		r := results{map[string]measurement{c.key: c.ours}, map[string]measurement{c.key: c.peer}}
		var out bytes.Buffer
		ok := report(&out, r)
		var marked []string
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "missed") {
				marked = append(marked, line)
			}
		}
		if ok != (c.want == "") || len(marked) > 1 || c.want != "" && (len(marked) == 0 || !strings.HasPrefix(marked[0], c.want)) {
			t.Errorf("ours %v, peer %v: report says %t and marks %q, want %q", c.ours, c.peer, ok, marked, c.want)
		}
	}
}
