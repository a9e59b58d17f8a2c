package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestPrefixTrie compares with a map: all keys are found with the last of their numbers,
// and nothing else is, whatever the bytes.
func TestPrefixTrie(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, alphabet := range []int{1, 2, 17, 256} {
		keys := []string{"", "\x00", "\x00\x00", "a", "a\x00"}
		for range 3000 {
			key := make([]byte, random.IntN(12))
			for i := range key {
				key[i] = byte(random.IntN(alphabet))
			}
			keys = append(keys, string(key))
		}
		want := map[string]int32{}
		bytes := 0
		for i, key := range keys {
			want[key] = int32(i)
			bytes += len(key)
		}
		delete(want, "")
		trie := newPrefixTrie(keys)
		for _, key := range keys {
			for _, k := range []string{key, key + "\x00", key + "b", key[:len(key)/2]} {
				v, ok := want[k]
				if !ok {
					v = -1
				}
				if got := trie.find(k); got != v {
					t.Errorf("alphabet of %d: find %q: got %d, want %d", alphabet, k, got, v)
				}
			}
			length, value := trie.longest([]byte(key + "zz"))
			if length < len(key) || length > 0 && value != want[(key + "zz")[:length]] {
				t.Errorf("longest %q: got %d bytes, value %d", key+"zz", length, value)
			}
		}
		if limit := 2*trieBlock + 4*bytes; len(trie.nodes) > limit {
			t.Errorf("alphabet of %d: %d nodes for %d bytes of keys, want at most %d", alphabet, len(trie.nodes), bytes, limit)
		}
	}
}

func BenchmarkNewPrefixTrie(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var keys []string
	for range 256_000 {
		keys = append(keys, fmt.Sprintf("%x", random.Uint64()>>(16+random.IntN(32))))
	}
	for b.Loop() {
		newPrefixTrie(keys)
	}
}
