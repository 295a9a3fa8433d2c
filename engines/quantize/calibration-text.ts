/**
 * The text that a model is shown when the user names none: written for this purpose, a little of everything that people
 * ask a document assistant about. What counts is that every kind of column lights up, not what is said.
 */
export const calibrationText: readonly string[] = [
  `The harbour office opens at six. Before the first ferry leaves, the clerk writes down the wind, the tide and the names of
the crew, in that order, in a ledger that has been kept since 1911. Most entries are dull: "Wind SW 3, tide rising, Anna
and two deckhands." A few are not. On the ninth of March the ledger says only that the lamp was lit at noon and that
nobody could see the pier from the door. Historians like such books because they were not written for them. They show what
people thought worth noting, and they show it every day, including the days on which nothing happened at all.`,

  `Question: According to the report, when was the bridge closed to lorries, and why?
Answer: It was closed to vehicles of more than 7.5 tonnes on 14 October, because the inspection found cracks in two of the
eight bearings on the eastern pier. Cars and buses may still cross at no more than 30 km/h. The report expects the repair
to cost 1.2 million euros and to take eleven weeks.
Question: Who has to pay for it?
Answer: The report does not say. It names the county as the owner, but leaves the question of cost to a later decision.`,

  `Der Mietvertrag beginnt am 1. April und läuft auf unbestimmte Zeit. Die Kündigungsfrist beträgt drei Monate zum Monatsende.
Schönheitsreparaturen übernimmt der Mieter nur, soweit sie durch seinen Gebrauch notwendig geworden sind. Haustiere
dürfen mit Zustimmung des Vermieters gehalten werden; die Zustimmung darf nicht ohne wichtigen Grund verweigert werden.
Die Nebenkosten werden jährlich abgerechnet. Einwendungen gegen die Abrechnung sind innerhalb von zwölf Monaten möglich.`,

  `La recette tient en peu de mots : faire revenir un oignon dans un peu de beurre, ajouter le riz, remuer jusqu’à ce que les
grains brillent, puis verser le bouillon chaud louche après louche. On ne quitte pas la casserole des yeux. Au bout d’une
vingtaine de minutes, le riz est tendre mais résiste encore sous la dent ; on ajoute alors le fromage, hors du feu.`,

  `El estudio midió la calidad del aire en doce ciudades durante tres inviernos. En nueve de ellas la concentración de
partículas bajó entre un 8 % y un 23 % después de que se limitara el tráfico en el centro; en las otras tres no se observó
ningún cambio significativo. Los autores advierten de que el tiempo, más suave que de costumbre, explica parte de la mejora.`,

  `def moving_average(values, window):
    """Mean of each run of \`window\` values; shorter at the start."""
    total, means = 0.0, []
    for i, value in enumerate(values):
        total += value
        if i >= window:
            total -= values[i - window]
        means.append(total / min(i + 1, window))
    return means

SELECT customer.name, SUM(line.quantity * line.price) AS total
  FROM customer JOIN invoice ON invoice.customer_id = customer.id JOIN line ON line.invoice_id = invoice.id
 WHERE invoice.date >= '2023-01-01' GROUP BY customer.name HAVING total > 1000 ORDER BY total DESC LIMIT 20;`,

  `| quarter | revenue (k€) | costs (k€) | margin | staff |
|---|---|---|---|---|
| Q1 | 1,204.5 | 998.1 | 17.1 % | 42 |
| Q2 | 1,310.0 | 1,044.7 | 20.3 % | 44 |
| Q3 | 1,287.9 | 1,101.2 | 14.5 % | 47 |
| Q4 | 1,502.3 | 1,163.8 | 22.5 % | 46 |
The third quarter carries the move to the new warehouse (61,300 €), which will not come again. 3 + 4 = 7; 12 × 12 = 144;
the square root of two is about 1.41421; a year has 8,760 hours; 0.1 + 0.2 is not quite 0.3 in binary floating point.`,

  `{"id": 4711, "title": "Minutes of the meeting", "date": "2024-05-17", "present": ["Okafor", "Lindqvist", "Tanaka"],
"decisions": [{"text": "Order three pumps", "due": "2024-06-01", "done": false}, {"text": "Ask for a second offer", "due": null}]}
<li class="entry"><a href="/archive?page=2">older</a> &middot; <em>12 comments</em></li>
$ tar -xzf backup.tar.gz && grep -rn "timeout" config/ | sort | uniq -c`,

  `Сначала мы думали, что письмо потерялось. Оно пришло через четыре месяца, с марками, которых никто из нас раньше не видел,
и с короткой запиской: «Доехали хорошо, пишите по новому адресу». Бабушка перечитала её дважды и положила в ящик стола,
где лежали все остальные письма, перевязанные синей лентой.`,

  `会议定于下周三上午九点在三楼会议室举行，请各部门负责人提前准备本季度的工作总结。如有特殊情况不能参加，请在周一之前告知办公室。
この薬は一日三回、食後に水で服用してください。眠気が出ることがあるため、服用後の運転は避けてください。症状が五日以上続く場合は医師に相談してください。`,

  `يفتح المتحف أبوابه من الثلاثاء إلى الأحد، من الساعة العاشرة صباحا حتى السادسة مساء. الدخول مجاني للأطفال دون الثانية عشرة.
हर सुबह गाँव के बच्चे नदी के किनारे बने स्कूल तक पैदल जाते हैं। बरसात में रास्ता दो घंटे लंबा हो जाता है, फिर भी कोई छुट्टी नहीं लेता।`,

  `User: Can you explain what a mortgage is, in simple words?
Assistant: A mortgage is a loan for buying a home. The home itself is the security: if the loan is not paid back, the bank may
sell it. You pay interest on what you still owe, and each month a part of the debt, usually over 15 to 30 years.
User: And what happens if the interest rate goes up?
Assistant: That depends on the contract. With a fixed rate nothing changes until the fixed period ends. With a variable rate the
monthly payment rises, or the loan takes longer to pay back. It is worth asking how much a rise of two points would cost.`,

  `Photosynthesis turns light into chemical energy. In the thylakoid membranes, pigments absorb photons and pass electrons along
a chain of carriers; the gradient of protons that builds up drives the synthesis of ATP. In the stroma, the Calvin cycle uses
that ATP, with NADPH, to fix carbon dioxide into sugars. Plants in hot, dry places have found ways around the losses that
come with open stomata: C4 plants concentrate the gas in special cells, and cacti take it in at night.`,

  `"You are late," said the watchmaker, without looking up. "The clock is right," she answered, "and so am I; it is you who are
early." He laughed at that, put down the loupe and pushed the little brass wheel across the table. It had forty-one teeth.
It should have had forty-two. "Somebody," he said slowly, "made this on purpose, a long time ago, so that it would gain a
minute every day, and nobody would ever know why." She held it to the window. Outside, the bells began to ring.`,

  `Warranty. The manufacturer warrants the device against defects in material and workmanship for twenty-four (24) months from
the date of purchase. The warranty does not cover wear, misuse, accidents, or repairs made by persons who were not authorised.
To make a claim, send the device with proof of purchase to the address below; return postage is paid by the manufacturer
where the claim is found to be valid. Nothing in this section limits rights that the consumer has by law.`,
];
