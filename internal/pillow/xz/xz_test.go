package xz

import (
	"bytes"
	"encoding/base64"
	"io"
	"testing"
)

// samples were compressed by liblzma 5.4: "abcabcabc…" with a number after every
// 100 letters, 0 to 299; without and with the filter for differences.
var samples = [2]string{
	"/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4HizAV9dADCYiKukPpRp7GKkbIQ1SpPvWqfkuMgVGxfElxqI6hBhVozuy0141yzGIXH4" +
		"IETJ7VbbWXn54leWSCNchbwcVd+u1v/QNOWT3KScekdLhAjA+x2eq30O96EaNKRu5qFA2SNzQD1K2XzE8BqBhFuD9UMQ0eCzZ1Ju" +
		"C5wWwhpg90n7gITqytO4mOZ6gkdmFH4ymlpqYrRT/YtshUYOJ5+PSTCAyVJp27MbNmXFCmSvOgk9QFhi03BwZw/EL9YK7jq7u1wY" +
		"eOvKRYtYFW5caDGgBXYzRILjhcmFbLq129xqDLtRuhT9ATlsXM3E1YD/ekn5wgjY0Zkd4hTExYGHUbAYwMytLSJEJTVuwPJ0ZJeK" +
		"/RZ9Viglt4uARkHZh5Kfab3AYZz7og/UISm1MoO3mfAk7E/+wd4ISnwuGCMkRzRfLYnMLn0rsYEoq8xAE8yg14vYfSQc8gPHVbWh" +
		"2uAmVienhgAAW2v1OFuc3loAAfsCtPEBAAyfzfmxxGf7AgAAAAAEWVo=",
	"/Td6WFoAAATm1rRGAgEDAQIhARby6M1E4HizA1hdADCYiJCH7/ZenLzwZH8fq2T6epqqYDe7p1rlZwtokg0FNwqHkhiOplEB8CJM" +
		"FKZ4jgb6WMyhLudT0YbABIkr8mP9uoPkPeavjrAIGwKnbgxuaKnTqhwajOii3JtnUVU7TobVFYTHxZqVM5XpI8oAxovW5ls+H+Ja" +
		"0hJCgyH0akrBYD/xUyAZTxAoaHQPgQxra1MPZUHRc/BfegyGKwP5qLKZ7GUzbNyufz9hL5JsPedKLi/NyDhPbZ/8a268mqiangAZ" +
		"6AAq95ZQnFNwz4eZ/mxZzDG8B9rFF91sjZmVWVBM1aMpUq51dKn7X0YxCi6vbCfzfbGxBIoi/xaphEaalcCIU+MkItxHft9/t+m/" +
		"hZtpWV5940p/BjKjKOWdrMf53xkF6r54CBptPGQFx+5GLRjITf7BPZexC+Ndfm3kJXTXmzu5BNZqjxxENr8tqGi3bm4RDtikNo1t" +
		"lyYly0tWV0hJC+FqVNcOibz9LSA7bqvbWXy9aWZiGC5pNPeeXvg8ORRNqLbU7Qr0UIXkeOP5hTetd82P1iwyRDIvcFOvZ9OAoYNx" +
		"vCMT8EQIjjYCQ700XU6H/XzWFi7MYB8jFZ6gnn+4LQBWu6xt4HdjrlymY6krYL4+y8wFWwLnPp0hMqwkIy+J8nC/9fIFSyrRpZi4" +
		"ELIBQdC2RcdTVRL0R5F9Wh9wIYnyzqFCkk4QMBbt95vLAd2MFAInjD5oQgQ5w1wioutknpzj3CquSGwBDhJjvQfcp+jqgxeGxVCP" +
		"RfXLDIL7Cmo5oNkQpeGdARn/D7jHcU8Uq6e/2YDG55C5XQQbtz/fMGBG0OH3Bo0jxhIcZWkqHTFOYCkVRLhioT3BEBllpAfBSimg" +
		"+DmLvR2ug9AsLgdcOqlOIzTooRgfNneS5WQnNlIQOQbKuCl8Fdx7zq2CyqVvRHcS9skkQgaeha5JoJseovd16MES/Ea/Q4UWydmZ" +
		"Q4H/h1fbWeKEppS3yPewmb8gqJkwbl/+jJvckS2KqPHLTcDzOUz819lkknxB+L1Gi8CpOp5oPA2zYUMCtOiarQE7fJvctsGMEJnR" +
		"kk5j/bazlMOczrgKKZTCEP4IFRYzTwJFwRsY7F4uWj9QTnPCumOSvd3sOqI7UYLLEjjxVl/eBQ8lF9UhYQAAW2v1OFuc3loAAfQG" +
		"tPEBABmLG/2xxGf7AgAAAAAEWVo=",
}

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

func sampleStream(t testing.TB, i int) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(samples[i])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readAll(data []byte) ([]byte, error) {
	r, err := NewReader(data)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestRead(t *testing.T) {
	for i := range samples {
		stream := sampleStream(t, i)
		got, err := readAll(stream)
		if err != nil || !bytes.Equal(got, sampleText()) {
			t.Errorf("sample %d: got %d bytes and error %v, want %d", i, len(got), err, len(sampleText()))
		}
		for n := range len(stream) - 40 { // without the index
			if _, err := readAll(stream[:n]); err == nil {
				t.Fatalf("sample %d, the first %d bytes: no error", i, n)
			}
		}
	}
}

// FuzzRead: no input panics or expands without end.
func FuzzRead(f *testing.F) {
	for i := range samples {
		f.Add(sampleStream(f, i))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		if r, err := NewReader(data); err == nil {
			_, _ = io.CopyN(io.Discard, r, 1<<22)
		}
	})
}
