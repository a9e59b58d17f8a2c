package main

import (
	"math"
	"strconv"
)

// number has so many digits that count, and zeros or a point as needed.
func number(v float64, digits int) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	after := digits - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	scale := math.Pow(10, float64(after))
	return grouped(strconv.FormatFloat(math.Round(v*scale)/scale, 'f', max(0, after), 64))
}

// count is a whole number.
func count(v float64) string { return grouped(strconv.FormatFloat(math.Round(v), 'f', 0, 64)) }

// grouped puts commas between thousands.
func grouped(s string) string {
	whole, rest := s, ""
	for i, c := range s {
		if c == '.' {
			whole, rest = s[:i], s[i:]
			break
		}
	}
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + rest
}

func hours(seconds float64) string { return number(seconds/3600, 3) }

func terabytes(bytes float64) string { return number(bytes/1e12, 3) + " TB" }

func money(v float64) string { return "$" + number(v, 3) }
