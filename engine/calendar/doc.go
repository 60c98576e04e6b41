// Package calendar counts working days in China: Monday to Friday, corrected by the days off (放假) and the
// worked weekend days (调休上班) of the State Council's yearly holiday notices.
//
// What always holds:
//
//   - A year is either known or unknown. It is known when its whole list is loaded, recognised by the days off
//     of both 春节 and 国庆节; a calendar never holds part of a list (With refuses it).
//   - An unknown year is never guessed silently. Its Mondays to Fridays are taken for working days, and every
//     answer that touched one of its days says known = false.
//   - A Calendar never changes. New lists make a new Calendar.
//   - Counting is "from the day after": the start day is never counted, the end day is.
//
// The year that counts is the one the day lies in, not the one the notice is named after. A notice may reach
// back over New Year: 2018-12-29 to 2018-12-31 were ruled by the notice for 2019, 2022-12-31 by that for 2023.
// So the last days of a known year can still change when the next notice appears (usually in November). Such
// rows alone do not make a year known, and must not replace the list that the year has; see Join.
//
// # Source of the embedded list
//
// holidays.csv covers 2017 to 2026. Its rows come from NateScarlet/holiday-cn
// (https://github.com/NateScarlet/holiday-cn), which collects them from the notices of the General Office of
// the State Council; the column 国办通知 gives the address of the notice, or the addresses where a later notice
// amended it (2019 劳动节, 2020 春节). Winter and summer vacations are not in it. holiday-cn is published under
// the MIT licence:
//
//	Copyright (c) 2019 NateScarlet
//
//	Permission is hereby granted, free of charge, to any person obtaining a copy
//	of this software and associated documentation files (the "Software"), to deal
//	in the Software without restriction, including without limitation the rights
//	to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
//	copies of the Software, and to permit persons to whom the Software is
//	furnished to do so, subject to the following conditions:
//
//	The above copyright notice and this permission notice shall be included in all
//	copies or substantial portions of the Software.
//
//	THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
//	IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
//	FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
//	AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
//	LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
//	OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
//	SOFTWARE.
package calendar
