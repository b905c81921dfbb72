# Text, hashes and regular expressions in Perl.
use strict;
my (%count, $seed, $text);
$seed = 1;
for my $i (1 .. 60000) {
  $seed = ($seed * 1103515245 + 12345) % 2147483648;
  $text .= join('', map { chr(97 + ($seed >> $_ * 4 & 15)) } 2 .. 2 + ($seed >> 24 & 3)) . ($i % 11 ? ' ' : "\n");
}
$count{$_}++ for split /\s+/, $text;
my $doubled = () = $text =~ /(\w)\1/g;
(my $swapped = $text) =~ s/\b(\w)(\w+)/$2$1/g;
my $sum = 0;
$sum = ($sum * 31 + ord substr $swapped, $_ * 13 % length $swapped, 1) % 1000000007 for 1 .. 200000;
my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 2];
print "perl $doubled $sum @top\n";
