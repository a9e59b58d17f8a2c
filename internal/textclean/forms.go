package textclean

// A byteClass is a set of ranges of bytes.
type byteClass [][2]byte

func (c byteClass) has(b byte) bool {
	for _, r := range c {
		if r[0] <= b && b <= r[1] {
			return true
		}
	}
	return false
}

func one(b byte) byteClass { return byteClass{{b, b}} }

var (
	space     = one(' ')
	trail     = byteClass{{0x80, 0xbf}}
	trailRare = byteClass{{0x80, 0x84}, {0x86, 0x9f}, {0xa1, 0xbf}} // neither "…" nor a no-break space
	lost      = byteClass{{substitute, substitute}, {'?', '?'}}
	lostTrail = byteClass{{substitute, substitute}, {0x80, 0xbf}}
	anyTrail  = byteClass{{substitute, substitute}, {'?', '?'}, {0x80, 0xbf}}
	high      = byteClass{{0xa0, 0xaf}} // second byte of a high surrogate
	low       = byteClass{{0xb0, 0xbf}} // second byte of a low surrogate
	surrogate = one(0xed)
	lead3     = byteClass{{0xe0, 0xef}}
	lead4     = byteClass{{0xf0, 0xf4}}
)

// a0Forms are characters of UTF-8 with a space in the place of a byte A0. Of
// two bytes: U+00A0, à, Š, Π, Р and the Arabic zero. Of three: not those that
// would be Samaritan or Mongolian, nor, by far the most of them, Chinese. Of
// four: emoji.
var a0Forms = [][]byteClass{
	{{{0xc2, 0xc3}, {0xc5, 0xc5}, {0xce, 0xce}, {0xd0, 0xd0}, {0xd9, 0xd9}}, space},
	{{{0xe2, 0xe3}}, space, trailRare},
	{{{0xe0, 0xe3}}, trailRare, space},
	{one(0xf0), space, trail, trail},
	{one(0xf0), trail, space, trail},
	{one(0xf0), trail, trail, space},
}

// lossyForms are characters of UTF-8 and CESU-8 in which bytes were lost; a
// question mark stands for one of them at most.
var lossyForms = [][]byteClass{
	{{{0xc2, 0xdf}}, one(substitute)},
	{{{0xc2, 0xc3}}, one('?')},
	{surrogate, high, lost, surrogate, low, anyTrail},
	{surrogate, high, anyTrail, surrogate, low, lost},
	{lead3, lost, lostTrail},
	{lead3, lostTrail, lost},
	{lead4, lost, lostTrail, lostTrail},
	{lead4, lostTrail, lost, lostTrail},
	{lead4, lostTrail, lostTrail, lost},
	{one(substitute)},
}

// matchLength returns the length of the first of forms that b starts with, or 0.
func matchLength(b []byte, forms [][]byteClass) int {
next:
	for _, form := range forms {
		if len(b) < len(form) {
			continue
		}
		for i, class := range form {
			if !class.has(b[i]) {
				continue next
			}
		}
		return len(form)
	}
	return 0
}
