package zstd

import (
	"bytes"
	"encoding/base64"
	"io"
	"testing"
)

// sample was compressed by zstd 1.5.7 at level 19: "abcabcabc…" with a number
// after every 100 letters, 0 to 299.
const sample = "KLUv/WC0dzUeAIpwaAwMwOcMxBEREdrkqnkCvwDAAMIAYMj9DPXm0N0NuddQ7yJ0lwi5H0K9hdDdIOQeCPUeobsUcj+h3hK6W4Lc" +
	"k6DeI+iuCHIfgnqDoLsT5J5BvRd0V0HuC1BvAnR3ALkXQL0D0F0A5H6AehPo7oDcC6h3Gd0lI/dj1FuM7oaRezDqPaO7HLnfqLdG" +
	"dwvlnlC9B3VXUO4D1RtQd4dyT6r3qLui3JepN5nujsm9mHqH6S6Y3M/Um9PdTe419S7SXSK5H1JvId0Nknsg9R7pLiX3k3pLuhsF" +
	"zD0B6z3A7gow9wGsNwC7O2DuCdZ7YHcF5r7MepPZ3TFzL2a9w+wumLmfWW/O7m7mXrPehbtLOPeD6y24u4FzD7jew90l535cb3F3" +
	"y+aebL3Hdlds7sPWG2x3Z3PPrfe2u9rcF6030e4Ozb3QegftLtDcj9ab2t1p7qX1LkV3SZH7UdRbFN0NRe5BUe8pussi9yvqraK7" +
	"hcg9Ieo9iO4KIveBqDcgujtE7knUe0R3ReS+DPUmQ3fHkHsx1DsM3Q2AdD9kb5J3R7oX2buMd8nofoy9xXg3jO7B2HvGuxzdb+yt" +
	"8W4R3ROx9xDvCtF9EHsD8e6I7in2nnhXovtS1puU3R1l7kVZ71B2F5S5n7LeLLu7Mvcq613I7hIy94OstyC7G8jcA7LeQ3aXZO5H" +
	"1ltkd8uYezLWe4zdFWPuw1hvMHZ3xtxzrPfG7mrMfRHrTcTuDjH3Qqx3ELsLxNyPWG+K3Z2Ye4n1LmF3SZj7EdZbhN0NYe5BWO8J" +
	"u8sw9wvrrbC7AaXQPSnsPQrvikL3obA3KLw7he5Z2HuFd1XovhD2JoR3B6F7Qdg7EN4FhO6HsDcJ747QvQh7l8G7ZND9GOwtBu+G" +
	"QfdgsPcM3uWg+w321uDdIuieCPYegneFoPsg2BsI3h1B9xTsPcG7EnRfAnuTwLsj0L0I7B0C74JA9xPYm4F3F+hegb0L4F0C6H4A" +
	"9haAdwOgewDYewDvEtD9AHsL8G4ZuifD3mN4Vwzdh2FvMLw7Q/cc9t7wrobuC9mbkHcH6V6QvQN5N4EspBEoBP0B4Y8BKe7u7u7u" +
	"7u7u7u7u7u7u7u7d3d3d3bm7u7u7u7u7u7u7d3d3d3d3d3d3d+fu7u7u7t7d3d3d3d3d3d3d3d3d3Z17d3d3d3d3d3d3d3d3d3d3" +
	"9+7u7u7c3d3d3d3d3d3d3d27u7u7u7u7u7tzd3d3d3d37+7u7u7u7u7u7u7u7u7O3b27u7u7u7u7u7u7u7u7u7t7d3d37u5OVG4F" +
	"BA=="

func sampleText() []byte {
	var b bytes.Buffer
	for i := range 300 {
		for j := range 100 {
			b.WriteByte("abc"[(i+j)%3])
		}
		b.WriteByte(byte('0' + i/100))
		b.WriteByte(byte('0' + i/10%10))
		b.WriteByte(byte('0' + i%10))
	}
	return b.Bytes()
}

func sampleFrame(t testing.TB) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(sample)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRead(t *testing.T) {
	frame := sampleFrame(t)
	raw := []byte("\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello")
	run := []byte("\x28\xb5\x2f\xfd\x20\x05\x2b\x00\x00x")
	skip := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc")
	for _, c := range []struct {
		name       string
		data, want []byte
	}{
		{"compressed", frame, sampleText()},
		{"as it is", raw, []byte("hello")},
		{"alike", run, []byte("xxxxx")},
		{"frames", bytes.Join([][]byte{raw, skip, run, frame}, nil), append([]byte("helloxxxxx"), sampleText()...)},
	} {
		got, err := io.ReadAll(NewReader(c.data))
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: got %d bytes and error %v, want %d", c.name, len(got), err, len(c.want))
		}
	}
	for n := range len(frame) {
		if got, err := io.ReadAll(NewReader(frame[:n])); err == nil && n > 0 {
			t.Fatalf("the first %d bytes: got %d bytes and no error", n, len(got))
		}
	}
}

// FuzzRead: no input panics or expands without end.
func FuzzRead(f *testing.F) {
	f.Add(sampleFrame(f))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = io.CopyN(io.Discard, NewReader(data), 1<<22)
	})
}
