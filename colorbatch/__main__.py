from colorbatch.cli import main

main()
